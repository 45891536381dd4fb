"""SIP and RTP, and nothing else. The only package that imports pjsua2."""
