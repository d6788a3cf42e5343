# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server of a workload's objects that holds none of them: what a client can do when the server costs next to nothing.

``names`` says which object a path means, ``listing`` which objects there are, ``answers`` what is answered (all pure),
``wire`` moves the bytes, ``fleet`` runs several processes on one port.
"""
