"""Field devices: device models, the inventory and the links that read them."""
