# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One file or package for each use case; what several share is in files that define no operation.

Imported by ``modules``, ``action``, ``_module`` and ``plugin_utils``.
"""
