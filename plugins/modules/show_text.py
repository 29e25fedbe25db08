#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: show_text
short_description: Print text line by line
version_added: 1.0.0
description:
  - Prints text unchanged, without quotation marks and with its line breaks, so that it can be copied from a log.
    C(ansible.builtin.debug) prints it as JSON, with C(\\n) instead of line breaks.
  - AWX shows at most 1,024 characters of an event, so the text is printed in shorter pieces.
  - Control characters are removed.
  - The text is printed by Ansible's default callback and callbacks that extend it. Other callbacks print results
    themselves, so for these the text is returned as RV(msg).
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  text:
    description:
      - The text. It must not contain a secret, because it is written to every log.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Prints the text also in C(check_mode).
  diff_mode:
    support: none
    description: Makes no changes.
  idempotent:
    support: full
    description: Makes no changes.
  action:
    support: full
    description: Runs on the controller.
"""

EXAMPLES = r"""
- name: Show the sealed text
  mdps.venue_sts.show_text:
    text: "{{ handoff_result.sealed }}"
"""

RETURN = r"""
msg:
  description: The text.
  type: str
  returned: the callback is not an extension of Ansible's default one
  sample: "-----BEGIN AGE ENCRYPTED FILE-----"
"""
