# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs on the controller only: the front end of action plugins, hand-off, leases, renderings.

It is private to the collection. Imported by ``action`` and ``filter``.
"""
