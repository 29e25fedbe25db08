#!/bin/sh
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Prints the credentials of a lease for credential_process, and fetches new ones: sh renew.sh [AGE-KEY-FILE]
# Needs aws, unzip, and age or gpg. It talks to the bucket in renewal.json only, and runs nothing that it downloads.
CDPATH=""; umask 077 && cd -- "$(dirname -- "$0")" || exit 1; work=$(mktemp -d ./renewing.XXXXXX) || work=./unwritable
trap 'rm -rf "$work"' EXIT; trap 'exit 1' HUP INT TERM; identity=$1 now=$(date +%s)
value() { sed -n "s|^ *\"$1\": \"\([A-Za-z0-9 :/+=,.@~_-]*\)\",*[[:space:]]*\$|\1|p" "$2" | head -n 1; }
seconds() { # since 1970, of a time such as 2026-11-22T10:30:15Z; 0 if there is none
    value "$1" "$2" | awk -F '[-T:Z]' '{ y = $1; m = $2; if (m < 3) { y--; m += 12 }
        day = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m - 457) / 5) + $3 - 719469
        t = ((day * 24 + $4) * 60 + $5) * 60 + $6 } END { printf "%.0f", t }'
}
fits() { # whether a file fits account, role and user of the first bundle and is not older than another file
    since=$(seconds issued_at "$1") life=$(($(seconds expires_at "$1") - since)) # AWS issues for 12 hours at most
    [ -n "$(value SessionToken "$1")" ] && [ "$since" -ge "$(seconds issued_at "$2")" ] && [ "$life" -gt 0 ] &&
        [ "$life" -lt 50000 ] && [ "$since" -lt $((now + 50000)) ] || { echo "It is old or damaged."; return 1; }
    for name in account_id role_arn user; do
        [ "$(value $name "$1")" = "$(value $name renewal.json)" ] || { echo "It has another $name."; return 1; }
    done
}
fetch() ( # an object of the bucket, with the credentials that are still valid
    unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION
    export AWS_MAX_ATTEMPTS=2 AWS_PAGER="" AWS_ACCESS_KEY_ID="$(value AccessKeyId keys)"
    export AWS_SECRET_ACCESS_KEY="$(value SecretAccessKey keys)" AWS_SESSION_TOKEN="$(value SessionToken keys)"
    aws s3api get-object --region "$(value region renewal.json)" --cli-connect-timeout 5 --cli-read-timeout 15 \
        --bucket "$(value bucket renewal.json)" --key "$(value key renewal.json)$1" "$work/sealed$1" >/dev/null
)
renew() { # fetches the next bundle, opens it, and checks it; the signature as well, if the first bundle was signed
    signer=$(value signed renewal.json) signed="^"
    fetch "" || return 1
    case $signer in
    *" "*) fetch .sig && echo "mdps-admin $signer" >"$work/signers" && ssh-keygen -Y verify -f "$work/signers" \
        -I mdps-admin -n mdps-venue-sts -s "$work/sealed.sig" <"$work/sealed" || return 1 ;;
    ?*) signed="^.GNUPG:. VALIDSIG .*$signer" ;;
    esac
    case "$signed$(head -n 1 "$work/sealed")" in
    "^-----BEGIN AGE "*) age --decrypt --identity "$identity" --output "$work/zip" "$work/sealed" || return 1 ;;
    *"-BEGIN PGP MESSAGE-"*) gpg --batch --status-file "$work/status" --output "$work/zip" --decrypt "$work/sealed" &&
        { grep -q "$signed" "$work/status" || { echo "It is not signed by $signer."; false; }; } || return 1 ;;
    *) echo "It is sealed for neither age nor gpg, or not signed as the first one."; return 1 ;;
    esac
    unzip -p "$work/zip" renewal.json credential_process.json | head -c 20000 >"$work/new" && fits "$work/new" keys
}
fits keys renewal.json >/dev/null 2>&1 ||
    { cat renewal.json credential_process.json >"$work/new" && mv -f "$work/new" keys; } || exit 1
end=$(seconds expires_at keys); margin=$(((end - $(seconds issued_at keys)) / 3)); [ "$margin" -lt 900 ] || margin=900
tried=$(sed -n '1s/^[1-9][0-9]\{0,11\}$/&/p' tried 2>/dev/null); age=$((now - ${tried:-0})) # negative: clock set back
if [ $((end - now)) -lt "$margin" ] && [ "$now" -lt "$end" ] && [ "${age#-}" -ge $((margin / 15)) ]; then
    echo "$now" >"$work/tried" && mv -f "$work/tried" tried && find renewing.* -prune -mmin +10 -exec rm -rf {} +
    if why=$(renew 2>&1); then mv -f "$work/new" keys; else echo "renew.sh: no new credentials: $why" >&2; fi
fi
end=$(seconds expires_at keys) now=$(date +%s)
[ "$now" -lt "$end" ] || { echo "renew.sh: the credentials expired at $(value expires_at keys)" \
    "before new ones were fetched. Ask for a new bundle (see README.txt), and extract it here: $PWD" >&2; exit 1; }
# The end is stated too early: some programs ask again only after it, when these credentials no longer work.
early=$((end - margin / 2)) && [ "$early" -gt $((now + (end - now) / 2)) ] || early=$((now + (end - now) / 2))
until=$(date -u -d "@$early" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$early" +%Y-%m-%dT%H:%M:%SZ)
printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "%s", "Expiration": "%s"}\n' \
    "$(value AccessKeyId keys)" "$(value SecretAccessKey keys)" "$(value SessionToken keys)" "$until"
