"""How do the ears learn the telephone and the trade? Debtors that do not exist speak; the network learns.

mouths     lines spoken by blends of voices, in shards on disk
line       what a telephone does to them
network    the muggle network in torch, its weights fixed, a small change to each of them learned
training   the two together; what comes out is read by voicebot.speech.asr.lowrank
"""
