"""What travels: shapes, frames and formats of both services. No I/O at all."""
