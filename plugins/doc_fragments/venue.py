# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options and attributes that the modules of this collection share."""

from __future__ import annotations


class ModuleDocFragment:
    """The venue, and how its role is named."""

    DOCUMENTATION = r"""
options:
  project:
    description:
      - The project, such as V(sbg), as MDPS spells it. Letters, digits, and C(-), C(_) and C(.) after the first
        character.
    type: str
    required: true
  venue:
    description:
      - The venue of the project, such as V(dev), V(DEV), V(ops) or V(sbg-dev), as MDPS spells it. SSM parameters keep
        the case, role names do not, so a spelling that differs from the tags of the role is an error.
    type: str
    required: true
"""

    ROLE_NAME = r"""
options:
  name_prefix:
    description:
      - The prefix of the role name. The name is C(<name_prefix>-<project>-<venue>-sts), with at most 64 characters.
    type: str
    default: unity
  role_name:
    description:
      - The name of the role, if it does not follow the convention.
    type: str
  expected_account_id:
    description:
      - The ID of the AWS account that the venue is in, 12 digits. If the credentials are for another account, the task
        fails and nothing is changed.
    type: str
"""

    PARAMETERS = r"""
options:
  external_id_parameter:
    description:
      - The SSM parameter of the external ID. The default is C(/unity/<project>/<venue>/cs/sts/role/external-id).
    type: str
  bucket_parameter:
    description:
      - The SSM parameter that publishes the venue's bucket. The default is
        C(/unity/<project>/<venue>/ds/datastore-bucket).
    type: str
"""

    LEASE_PATH = r"""
options:
  lease_path:
    description:
      - The path of the SSM parameters that hold the venue's leases. The default is
        C(/unity/<project>/<venue>/cs/sts/leases).
    type: str
"""

    REUSE = r"""
options:
  reuse:
    description:
      - The name of the variable in which an earlier task of this run registered the result of the same module. If that
        result is for exactly the same request, and its credentials are valid for at least O(renew_before) seconds, the
        task returns it again without a new request.
      - The request consists of the options of the task, including module defaults and the caller's own credentials,
        and of where and as whom the task runs, with the keyword C(environment). If any of these differs, or a settings
        file of the AWS CLI or a file with an assertion or web identity token has changed, new credentials are fetched.
        O(renew_before) and one-time codes are not compared.
    type: str
  renew_before:
    description:
      - For how many seconds the credentials must still be valid to be reused.
    type: int
    default: 300
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return what would change, without changing it.
  diff_mode:
    support: full
    description: Returns what has changed, or would change in C(check_mode). It never contains external IDs or secret
      keys.
  idempotent:
    support: full
    description: A second run with the same options changes nothing.
  action:
    support: full
    description:
      - Runs in the process of ansible-playbook where the result is the same as that of running the module on the host,
        that is with the local connection, without C(become), C(async) or C(environment), and with no other Python asked
        for. In every other case the module runs on the host.
"""

    INFO_ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Makes no changes, so C(check_mode) has no effect.
  diff_mode:
    support: none
    description: Makes no changes.
  idempotent:
    support: full
    description: Makes no changes.
  action:
    support: full
    description:
      - Runs in the process of ansible-playbook where the result is the same as that of running the module on the host,
        that is with the local connection, without C(become), C(async) or C(environment), and with no other Python asked
        for. In every other case the module runs on the host.
"""

    HIDDEN_ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: In C(check_mode), everything is checked and compared, but no credentials are fetched.
  diff_mode:
    support: none
    description: The changes are secret.
  idempotent:
    support: none
    description: Every run returns new credentials.
  action:
    support: full
    description:
      - The result is hidden from standard output, logs, callbacks and job events at every verbosity, while C(register)
        keeps it for the next task.
      - Runs in the process of ansible-playbook where the result is the same as that of running the module on the host,
        that is with the local connection, without C(become) or C(environment), and with no other Python asked for. In
        every other case the module runs on the host. C(async) is refused, since C(async_status) would show the result.
"""

    # The options of modules that read receipts.
    RECEIPTS = r"""
options:
  receipts_file:
    description:
      - The receipts file. The default is C(~/.mdps/receipts.jsonl), which need not exist. Lines that are not valid
        receipts are skipped, and a warning shows their number.
    type: path
  receipts_s3:
    description:
      - Also read the receipts below these prefixes, C(s3://bucket/prefix), where
        O(mdps.venue_sts.venue_sts_token#module:receipts_s3) has stored them. Needs s3:ListBucket on
        the bucket and s3:GetObject on the prefix.
      - Receipts of the same token in several places are merged.
    type: list
    elements: str
  receipts_ssm_path:
    description:
      - Also read the receipts in the parameters below these paths, where
        O(mdps.venue_sts.venue_sts_token#module:receipts_ssm_path) has stored them. Needs ssm:GetParametersByPath.
    type: list
    elements: str
"""
