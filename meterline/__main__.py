"""`python -m meterline` is the command `meterline`."""

from meterline.cli import main

main()
