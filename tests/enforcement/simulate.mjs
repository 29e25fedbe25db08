// Copyright: Contributors to the mdps.venue_sts project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// The policy oracle: a JSON list of simulations on standard input, a JSON list of answers on standard output.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// Installed below .build, not beside this file: process.argv[2] is that folder.
const { runSimulation } = createRequire(`${process.argv[2]}/`)("@cloud-copilot/iam-simulate");

const answers = [];
for (const simulation of JSON.parse(readFileSync(0, "utf8"))) {
  const result = await runSimulation(simulation, {});
  answers.push(result.resultType === "error" ? { errors: result.errors } : { result: result.overallResult });
}
process.stdout.write(JSON.stringify(answers));
