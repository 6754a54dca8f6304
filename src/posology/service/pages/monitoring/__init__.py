"""Whether the service and its models do what is expected of them."""
