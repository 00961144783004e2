"""Compiled execution: a query is turned into Python once, and then answered without a call for each field.

`classify` says how each field is had, `compile` writes the code, `plans` keeps what was compiled, and `run` executes it
and leaves to graphql-core what plans do not cover. Whatever is unusual about a value is told by graphql-core's own
methods, so that errors are its errors.
"""
