"""The close: fold the records of a period into charges, settle accounts, and seal bills that anybody can recompute."""
