"""A call script and what the customer meant go in; what to say next comes out.

Pure: no I/O, no clock, no asyncio, no randomness of its own. Dates, times and seeds are arguments.
"""
