"""The main job, shown on one machine: the robot calls simulated debtors over real SIP and books what they promise."""
