"""What the suites share: the server under test, its peers, an HTTP client, reports with a ledger, installing tools.

Nothing here knows allod's insides: only its command line, its ports and its exit codes.
"""
