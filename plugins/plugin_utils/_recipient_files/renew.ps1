# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Prints the credentials of a lease for credential_process, and fetches new ones (see README.txt). Needs aws, and
# age or gpg. It talks to the bucket in renewal.json only, and runs nothing that it downloads.
param([string]$Identity); $ErrorActionPreference = "Stop"; Add-Type -AssemblyName System.IO.Compression.FileSystem
$here, $work = $PSScriptRoot, "$PSScriptRoot\renewing.$([Guid]::NewGuid())"
function Read-Text($Stream) { $reader = New-Object IO.StreamReader $Stream; $reader.ReadToEnd(); $reader.Dispose() }
function Read-File($Path) { Read-Text ([IO.File]::Open($Path, "Open", "Read", "ReadWrite, Delete")) }
function Get-Value($Name, $In) { [regex]::Match($In, "(?m)^ *`"$Name`": `"([ +-:=@-Z_a-z~]*)`",?\s*$").Groups[1].Value }
function Get-Time($Name, $Text) { [DateTimeOffset]::Parse((Get-Value $Name $Text), [cultureinfo]::InvariantCulture) }
function Assert-Fit($New, $Old) { # for the account, role and user of the first bundle, not older than others
    $issued = Get-Time issued_at $New; $life = ((Get-Time expires_at $New) - $issued).TotalSeconds
    if (-not (Get-Value SessionToken $New) -or $life -le 0 -or $issued -lt (Get-Time issued_at $Old) -or
        $life -ge 50000 -or $issued -ge $now.AddSeconds(50000)) { throw "It is old or damaged." }
    $other = "account_id", "role_arn", "user" | Where-Object { (Get-Value $_ $New) -cne (Get-Value $_ $first) }
    if ($other) { throw "It has another $other." }
}
function Invoke-Tool($Program, $Words, $In = "$work\empty") {
    $files = @{ RedirectStandardInput = $In; RedirectStandardOutput = "$work\out"; RedirectStandardError = "$work\why" }
    $done = Start-Process $Program $Words -WorkingDirectory $work -NoNewWindow -Wait -PassThru @files
    if ($done.ExitCode -ne 0) { throw "$Program`: $(Read-File "$work\why")" }
}
function Get-Next { # fetches the next bundle, opens it, and checks it; the signature as well, if the first was signed
    New-Item -ItemType Directory $work | Out-Null; [IO.File]::WriteAllText("$work\empty", "")
    Remove-Item "Env:AWS_PROFILE", "Env:AWS_DEFAULT_PROFILE", "Env:AWS_SECURITY_TOKEN" -ErrorAction Ignore
    $Env:AWS_ACCESS_KEY_ID, $Env:AWS_SECRET_ACCESS_KEY, $Env:AWS_SESSION_TOKEN = "AccessKeyId", "SecretAccessKey",
        "SessionToken" | ForEach-Object { Get-Value $_ $keys }
    $bucket, $key, $region, $signer = "bucket", "key", "region", "signed" | ForEach-Object { Get-Value $_ $first }
    $get = "s3api get-object --bucket $bucket --region $region --cli-connect-timeout 5 --cli-read-timeout 15 --key $key"
    Invoke-Tool aws "$get sealed"
    if ($signer -match " ") {
        Invoke-Tool aws "$get.sig sealed.sig"; [IO.File]::WriteAllText("$work\signers", "mdps-admin $signer`n")
        Invoke-Tool ssh-keygen "-Y verify -f signers -I mdps-admin -n mdps-venue-sts -s sealed.sig" "$work\sealed"
    }
    $inside, $text, $valid = ($signer -match "^\w+$"), (Read-File "$work\sealed"), "(?m)^.GNUPG:. VALIDSIG .*$signer"
    if ($text -match "BEGIN PGP") { Invoke-Tool gpg "--batch --status-file status --output zip --decrypt sealed" }
    elseif (-not $inside) { Invoke-Tool age "--decrypt --identity `"$Identity`" --output zip sealed" }
    if ($inside -and (Read-File "$work\status") -notmatch $valid) { throw "It is not signed." }
    $zip = [IO.Compression.ZipFile]::OpenRead("$work\zip")
    $new = -join ("renewal.json", "credential_process.json" | ForEach-Object { Read-Text ($zip.GetEntry($_).Open()) })
    $zip.Dispose(); Assert-Fit $new $keys; [IO.File]::WriteAllText("$work\new", $new); $new
    [IO.File]::AppendAllText("$here\keys", ""); [IO.File]::Replace("$work\new", "$here\keys", [NullString]::Value)
}
$first, $now = (Read-File "$here\renewal.json"), [DateTimeOffset]::UtcNow
try { $keys = Read-File "$here\keys"; Assert-Fit $keys $first }
catch { $keys = $first + (Read-File "$here\credential_process.json") }
$life = ((Get-Time expires_at $keys) - (Get-Time issued_at $keys)).TotalSeconds; $margin = [Math]::Min(900, $life / 3)
function Get-Left { ((Get-Time expires_at $keys) - $now).TotalSeconds }; function Get-End { Get-Value expires_at $keys }
$idle = [Math]::Abs(($now.UtcDateTime - [IO.File]::GetLastWriteTimeUtc("$here\tried")).TotalSeconds)
if ((Get-Left) -lt $margin -and (Get-Left) -gt 0 -and $idle -ge $margin / 15) {
    try { [IO.File]::WriteAllText("$here\tried", ""); $keys = Get-Next }
    catch { [Console]::Error.WriteLine("renew.ps1: no new credentials: $_") }
    Remove-Item $work -Recurse -Force -ErrorAction Ignore; $now = [DateTimeOffset]::UtcNow
}
$advice = "before new ones were fetched. Ask for a new bundle (see README.txt), and extract it here: $here"
if ((Get-Left) -le 0) { [Console]::Error.WriteLine("The credentials expired at $(Get-End) $advice"); exit 1 }
$until = $now.UtcDateTime.AddSeconds([Math]::Max((Get-Left) - $margin / 2, (Get-Left) / 2)).ToString("s") + "Z"
# The end is stated too early: some programs ask again only after it, when these credentials no longer work.
$all = @("AccessKeyId", "SecretAccessKey", "SessionToken" | ForEach-Object { Get-Value $_ $keys }) + $until
'{{"Version": 1, "AccessKeyId": "{0}", "SecretAccessKey": "{1}", "SessionToken": "{2}", "Expiration": "{3}"}}' -f $all
