"""Two files as .NET Core 3.1 on Linux wrote them, through `X509Store.Add` on ``CurrentUser/My``.

Both are PKCS#12 with an empty pass phrase, the certificates encrypted with RC2 of 40 bits and the key with triple DES,
as all .NET before version 5 writes them. The key was made for this and is used nowhere. Both are valid until 2126.
"""

from __future__ import annotations

from base64 import b64decode

__all__ = ["DOTNET_FILES"]

#: A credential for a client, and the certificate of the authority that issued it, by the names of their files.
DOTNET_FILES = {
    "89DDAE7A41389A8DF4A523F8B58A3968B1980EC0.pfx": b64decode(
        "MIID4gIBAzCCA6gGCSqGSIb3DQEHAaCCA5kEggOVMIIDkTCCAocGCSqGSIb3DQEHBqCCAngwggJ0AgEAMIICbQYJKoZIhvcNAQcB"
        "MBwGCiqGSIb3DQEMAQYwDgQIEk2vU+ebS44CAggAgIICQNUmI4MP69LhUICkzThbNkmW12zljNkgMilRiL/sfGvumMmkIxAvPxxX"
        "fmlalA/bwuTuaJxZ8V06b2GEkVlFmpJH33HXihOHYuExr2OWkYG4KVd/RKRwzxNCCZl3OL6eu6Lf8esVJwLBMxyXJaltdVEptW4y"
        "+piMIEojFcPQJ5qCQkqX24t2OtVngC1A597XCVyX7YdYZCVGH9KGKcMt+v3K9vb0xTCSO3D68ZU0zCNQN2h/tZYBWeU/8r/cQtO7"
        "//gVdstc+kLNu3K0RbHoB3WXjWQMCYVbLbP0Mz00xbgQn4Hsw5ifXY+qXkFJft67fjPt5uUC9sVs1jLfB6Ixco7i64OUswxbCRbz"
        "dYAuQ/wr64pkpkVzzevk+WUxu68IdYliuUZKp15qz084UL0tCZF0lX/mrpX7bbdBGRvoJ4PnF1e3b2veVCQ+aQG+U3AxlEpDBLKo"
        "8K01u+B5UpWBWLpKFed+pX8cWam7x+xA61cNknC96gCiNij0LCt4AEJGMdF1aeZmZR4KU5eiiYF9tJ3EzS1wQhBg5kDfJJ4uXOM/"
        "tKgA7wY9x0CkJR0CrhwXJ4Jw1KicQS9Nzk7ESGx5bpc2reNNUpvhxlUlWK91e4NEYR8LWIApe6Y0EDpZPb+rnL9FKUCEcaFsoUPi"
        "g1+2oCE1pgXqRaeAVdqASCaN7FP2YVdNkgIZdFbTPn4kuTNtOTGPo8t6PkeQGAJ04t1qVzhiNJQCEIt+35n+Gik9OnspI5p1I3Bp"
        "OyoNiambij/EvjCCAQIGCSqGSIb3DQEHAaCB9ASB8TCB7jCB6wYLKoZIhvcNAQwKAQKggbQwgbEwHAYKKoZIhvcNAQwBAzAOBAjT"
        "xVBKen3oEQICCAAEgZBu9eK4a77u0R1e8nZhXSuL6aKf86bY3o8yx80gBZO4D0IeM0/3PzHAqYLohabToROP+ZDIjoNFiEqmPaBy"
        "LuEmdFzwI6TX6OHe817ZQhTBlA+vUUJuIs02X0JoCUhtksOpsISLadN4wZeWBVDqMiJ1/5nhzjZKFwCSPtZIGAZviux43NVmTxKR"
        "OKdHZtBeiAExJTAjBgkqhkiG9w0BCRUxFgQUid2uekE4mo30pSP4tYo5aLGYDsAwMTAhMAkGBSsOAwIaBQAEFMTWs/0Lty+Nbagm"
        "2jvq51BcW0P+BAh10eKZZABKVAICCAA="
    ),
    "FBB65D76D66F4993344208150975916095DD1954.pfx": b64decode(
        "MIICTAIBAzCCAhIGCSqGSIb3DQEHAaCCAgMEggH/MIIB+zCCAfcGCSqGSIb3DQEHBqCCAegwggHkAgEAMIIB3QYJKoZIhvcNAQcB"
        "MBwGCiqGSIb3DQEMAQYwDgQI5muAz4yteiMCAggAgIIBsFDsq4IlC2evyV93d8IJ8eaNO3Uykz8Xv/QtEuGJO4NEbHsOZdVTD0zB"
        "n3xc/nr7G7oOvSnXNEIdfDRUUqwmeAGfTqgtSnGTwPPY/3RZ/5EwxcyptJs+K8+6RHUHvUHwYTYplhzBvwoDzrVGFfK9C2fPd7s+"
        "k67lhkLW777QNe4bOAbtwunpdgkJAYRnZp+ftUUkA/vetwelugJRFjV8yAY3Xy+BOCgaGIGhNiOmBXtVimJo4H61WEEpKW8Q+P7n"
        "s1RlHCmV71E/p/PRK5iny6o62imF+zBJPe6SUS9YCC6Jq3RhxO0P75N3GiO395n815mKM5F06gtB067WHgSkKuy2H9Nf5t714pSv"
        "T6XcG2j1w92ZYymMoThbvQSEfiR8Agp/OZVv42EuyZ6r9ot0AzzKbXjOufp+wb6hda3YeJG6Mv8GZ3Yj6/x1Ob1j9UyjfIK8wiRX"
        "yPc4ASxkGvAn2WmySsNgAU1U7o329yZ/90nY7ewcN47ubKSzy8hDjo538PpatKJGicRlxW7X1iw2AmbFNsmDGczxIbiOlMIhyFGZ"
        "FQOEqOP5mE6Ok1qCUn8emDAxMCEwCQYFKw4DAhoFAAQUl1jTsWqP4p7MsfkF9+pWRthineMECMmAWDAtGKYoAgIIAA=="
    ),
}
