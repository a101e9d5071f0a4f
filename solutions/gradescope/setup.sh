#!/usr/bin/env bash
# Gradescope runs this once, when the image of the autograder is built. The zip that you upload is unpacked in
# /autograder/source: this folder's two files, the workbook as workbook/, and Node for Linux as node-v22….tar.xz.
set -euo pipefail

apt-get update
apt-get install -y --no-install-recommends iproute2 util-linux xz-utils
tar -xJf /autograder/source/node-v*-linux-x64.tar.xz -C /usr/local --strip-components 1

cd /autograder/source/workbook
npm ci --ignore-scripts
