# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lookup ``one_variable``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core has no type information
    """The lookup."""

    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the value in a list.

        :raises AnsibleLookupError: more than one is set.
        """
        of_run = kwargs.get("of_run", ())
        found = [
            name for name in terms if name in variables and (name not in of_run or self._is_of_run(name, variables))
        ]
        if len(found) > 1:
            raise AnsibleLookupError(
                f"{' and '.join(found)} are both set, so one of them would be ignored. Set only {max(found, key=len)}."
            )
        if not found and "default" in kwargs:
            return [kwargs["default"]]
        builtin = lookup_loader.get("ansible.builtin.vars", loader=self._loader, templar=self._templar)
        return list(builtin.run(found or terms[-1:], variables))

    def _is_of_run(self, name: str, variables: Any) -> bool:
        """Whether ``-e`` or a play sets a variable. A play's variables are not among those of its hosts."""
        of_host = variables["hostvars"][variables["inventory_hostname"]]
        if name in load_extra_vars(self._loader) or name not in of_host:
            return True
        return bool(self._templar.template(variables[name]) != of_host[name])
