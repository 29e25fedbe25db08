# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The issue of a token: options, authorization, the calls of STS, and the pipeline.

Imported by ``modules`` and ``plugin_utils``.
"""
