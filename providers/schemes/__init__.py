"""The families of ways in which providers sign their deliveries, one module a family.

A scheme works on bytes, tries every live secret, judges time by the delivery's receipt, and can
sign as well: the simulator, the load generator and the conformance suite need that. Comparisons
of anything secret are constant in time.
"""
