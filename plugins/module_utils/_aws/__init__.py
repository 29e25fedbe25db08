# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gateways to AWS: clients in, values of the domain out. They decide nothing.

Imported by ``plugin_utils``, ``_operations`` and ``_receipt_store``.
"""
