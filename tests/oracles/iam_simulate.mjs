// Asks @cloud-copilot/iam-simulate about every case on standard input; one verdict a line.
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'

const require = createRequire(pathToFileURL(path.join(process.argv[2], 'package.json')))
const { runSimulation } = require('@cloud-copilot/iam-simulate')

const named = (policies, prefix) => policies.map((policy, i) => ({ name: `${prefix}${i}`, policy }))
const levels = (all) =>
  all.map((level, i) => ({ orgIdentifier: `ou-${i}`, policies: named(level, `p${i}-`) }))

const verdicts = []
for (const c of JSON.parse(readFileSync(0, 'utf8'))) {
  const simulation = {
    request: {
      principal: c.principal ?? { type: 'Anonymous' },
      action: c.action,
      resource: { resource: c.resource ?? '*', accountId: c.account },
      contextVariables: c.context,
    },
    identityPolicies: named(c.identity ?? [], 'i'),
    serviceControlPolicies: levels(c.scps ?? []),
    resourceControlPolicies: levels(c.rcps ?? []),
    resourcePolicy: c.resource_policy,
    sessionPolicy: c.session,
    permissionBoundaryPolicies: c.boundary ? named([c.boundary], 'b') : undefined,
  }
  const answer = await runSimulation(simulation, {})
  verdicts.push(
    answer.resultType === 'error'
      ? `error: ${JSON.stringify(answer.errors).slice(0, 300)}`
      : answer.overallResult,
  )
}
process.stdout.write(JSON.stringify(verdicts))
