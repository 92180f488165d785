"""The shared vocabulary: records, reasons, money, time, identifiers, ports, errors. Imports no other room, does no I/O."""
