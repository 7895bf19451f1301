"""What the computation runs on: device, precision, processes, memory."""
