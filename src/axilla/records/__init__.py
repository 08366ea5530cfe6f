"""What every room shares: frozen types, units, table schemas, errors and the atomic run folder."""
