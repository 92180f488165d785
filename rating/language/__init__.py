"""What a tariff says: values, the YAML reader, and the text that people read."""
