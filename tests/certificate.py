"""A certificate that nobody signed, for the servers of tests, with its key; valid for a hundred years.

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=pypod-test
"""

SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguKW6835hsbkg6dcy
UWEwhoqdy4uXVjOBa2xC/u3WaHuhRANCAAQ7plXy0STpq0y+JBZN26Oo4lRz5GxL
hZIR15KQSJsi30yNOTvt7qH+TwypMN3aSTCCwzqf5dmEQYQMqlSwQdvp
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUbjZFwFzkI2iolqdVMtPb/uJNw1cwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKcHlwb2QtdGVzdDAgFw0yNjExMjQwMDExMzVaGA8yMTI2MTAz
MTAwMTEzNVowFTETMBEGA1UEAwwKcHlwb2QtdGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABDumVfLRJOmrTL4kFk3bo6jiVHPkbEuFkhHXkpBImyLfTI05O+3u
of5PDKkw3dpJMILDOp/l2YRBhAyqVLBB2+mjUzBRMB0GA1UdDgQWBBQzkjxmZw9/
XRzQbngA5IJQolD94DAfBgNVHSMEGDAWgBQzkjxmZw9/XRzQbngA5IJQolD94DAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIAizCthzP5Pm/ZoM6xan
f1S0o8Y/zApTVbSAqRZ0n9+nAiEAz+/39+wCWOpNrcWAiFTHmKYE4Wur/o4XnTNE
hYe2tIk=
-----END CERTIFICATE-----
"""
