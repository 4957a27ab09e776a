"""What ties work orders to the ops database."""
