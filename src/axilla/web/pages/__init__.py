"""What people see; everything that changes something goes through the API or the store."""
