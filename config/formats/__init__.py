"""How the admin writes dates: short, in 24 hours, on one line."""
