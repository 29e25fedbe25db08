# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs that read an object again and again through the profile of a lease; test_renewal.py starts them.

Each one is started with BUCKET KEY SECONDS, and prints a line for each reading.
"""

from __future__ import annotations

BOTO3 = """
import sys, time, boto3
bucket, key, seconds = sys.argv[1:]
s3, end = boto3.client("s3"), time.monotonic() + float(seconds)
while time.monotonic() < end:
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"data"
    print(s3._request_signer._credentials.get_frozen_credentials().access_key, flush=True)
    time.sleep(1)
"""
S3FS = """
import sys, time, s3fs
bucket, key, seconds = sys.argv[1:]
fs, end = s3fs.S3FileSystem(use_listings_cache=False), time.monotonic() + float(seconds)
while time.monotonic() < end:
    assert fs.cat(f"{bucket}/{key}") == b"data"
    print("read", flush=True)
    time.sleep(1)
"""
# One process of rclone, which is asked for the file by HTTP.
RCLONE = """
import subprocess, sys, time, urllib.error, urllib.request
program, port, endpoint, bucket, key, seconds = sys.argv[1:]
remote = f":s3,provider=Other,env_auth=true,region=us-west-2,endpoint='{endpoint}',force_path_style=true:{bucket}"
options = ["--addr", f"127.0.0.1:{port}", "--dir-cache-time", "0s", "--retries", "1", "--low-level-retries", "1"]
server = subprocess.Popen([program, "serve", "http", "--read-only", *options, remote])
try:
    end, began = time.monotonic() + float(seconds), time.monotonic()
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{key}", timeout=30) as answer:
                assert answer.read() == b"data"
            print("read", flush=True)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            assert time.monotonic() < began + 90 and server.poll() is None
        time.sleep(1)
finally:
    server.terminate()
    server.wait()
"""
# One process of s5cmd, which takes its commands from standard input.
S5CMD = """
import subprocess, sys, time
program, bucket, key, seconds = sys.argv[1:]
with subprocess.Popen([program, "--log", "error", "run"], stdin=subprocess.PIPE, text=True) as running:
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        print(f"cat s3://{bucket}/{key}", file=running.stdin, flush=True)
        time.sleep(1)
    running.stdin.close()
sys.exit(running.returncode)
"""
# The command line program is a new process each time, and asks for credentials in each.
CLI = """
import subprocess, sys, time
program, bucket, key, seconds = sys.argv[1:]
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    done = subprocess.run([program, "s3", "cp", f"s3://{bucket}/{key}", "-"], capture_output=True, text=True)
    assert done.stdout == "data", done.stderr
    print("read", flush=True)
    time.sleep(4)
"""
