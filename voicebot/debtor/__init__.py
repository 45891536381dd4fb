"""The simulated debtor: a SIP endpoint in a process of its own that answers calls like a person.

It exists to test and to measure the robot from outside. What a persona does is data (`persona`), what follows from what
it hears is a pure reducer (`behaviour`), and every call leaves a recording and its marks (`record`) from which response
times are computed (`measure`).
"""
