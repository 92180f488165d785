"""What usage costs: the tariff language, its compiler to flat arrays, and the kernels of the first and the second pass."""
