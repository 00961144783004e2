"""The client tools that the API is tried with: which they are, where they run and the server that they ask."""
