"""What ties the rules to the ops database."""
