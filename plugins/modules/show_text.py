#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: show_text
short_description: Print text line by line
version_added: 1.0.0
description:
  - Prints text as it is, without quotes and with its line breaks, so that it can be copied or cut out of a log.
    C(ansible.builtin.debug) prints it as JSON, with C(\\n) in place of line breaks.
  - AWX shows at most 1,024 characters of an event, so the text is printed in pieces that are shorter.
  - Control characters are left out.
  - With another callback than Ansible's default one, or one that extends it, nothing is printed, and the text is
    RV(msg), because such a callback prints results by itself.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  text:
    description:
      - The text. It must hold no secret, since it goes to every log.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Prints in C(check_mode) as otherwise.
  diff_mode:
    support: none
    description: Nothing changes.
  idempotent:
    support: full
    description: Changes nothing.
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
