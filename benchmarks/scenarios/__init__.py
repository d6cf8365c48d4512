"""What is measured: a scenario runs once with one server and gives metrics."""
