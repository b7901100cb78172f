"""What an account would not take of a plan, asked before the apply."""
