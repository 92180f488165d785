"""The house rules that a machine can check; `make check` runs them, README.md names them."""
