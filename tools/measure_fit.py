"""Prints how exactly the body is fitted to a clip: the numbers that the fit is judged by."""
