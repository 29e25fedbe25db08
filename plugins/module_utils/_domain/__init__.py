# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules without I/O: names, policies, requests and limits, plans, receipts, leases, errors.

Imported by ``filter``, ``plugin_utils``, ``_operations``, ``_receipt_store``, ``_files``, ``_aws``, ``_kion``,
``_controller`` and ``_masking``.
"""
