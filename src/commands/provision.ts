import * as Flags from '@oclif/core/flags'
import { expectLedger } from '../db/open.js'
import type { ProvisionPlan } from '../lib/core/provision-plan.js'
import type { ProvisionResult } from '../lib/core/results.js'
import { ProvisionJob } from '../lib/runs/provision-job.js'
import { Session } from '../lib/runs/session.js'
import { expiresFlag, usdFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { PlannedCommand } from '../lib/terminal/planned-command.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { provisionPlanView, provisionView } from '../lib/terminal/views/provision-view.js'

export default class Provision extends PlannedCommand {
  static override summary = 'Make a key for each student who has none.'
  static override description =
    `Gives each student of the roster who has no key, enabled or disabled, one with the roster's budget and reset period, and writes the secrets of the new keys into a CSV file.

A student who was offboarded and is back gets the old key enabled again, once you agree.

Whatever happens on the way, run the same command again: it settles what was left in doubt, and nobody ever gets a second key.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit 2.50 --expires 2026-11-30',
    '<%= config.bin %> <%= command.id %> --guardrail "Small models" --class-budget 500',
  ]
  static override flags = {
    ...PlannedCommand.planFlags,
    limit: usdFlag({ summary: "What each new key may spend, whatever the roster's budgets say." }),
    expires: expiresFlag,
    guardrail: Flags.string({
      summary: 'The guardrail that each new key gets: its name or id.',
      helpValue: 'NAME',
    }),
    'class-budget': usdFlag({
      summary: 'Refuse a plan that brings the limits of all enabled keys to more than this.',
    }),
  }

  async run(): Promise<ProvisionResult | ProvisionPlan> {
    const { flags } = await this.parse(Provision)
    const { 'dry-run': dryRun, concurrency, db, limits, roster, workspace } = flags
    const account = accountFrom(process.env)
    // In the wrong folder nothing is there, and this is what to say of it.
    expectLedger(db)
    const interrupt = listenForInterrupts(this.sayStopping)
    const session = new Session(account, interrupt, concurrency)
    const job = new ProvisionJob(session)
    const wishes = {
      limit: flags.limit,
      expiresAt: flags.expires,
      guardrail: flags.guardrail,
      classBudget: flags['class-budget'],
    }
    try {
      return await this.tell(
        {
          job,
          toPlan: [
            { title: 'Read the roster', run: () => job.read(roster, limits) },
            { title: 'Open the ledger', run: () => session.open(db, 'provision', { dryRun, workspace }) },
            { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
            { title: 'Plan', run: () => job.makePlan(roster, wishes) },
          ],
          showPlan: provisionPlanView,
          toApply: [
            { title: 'Make the keys', run: (_, report) => job.makeKeys(limits, report) },
            {
              title: 'Change keys that are there',
              onlyIf: () => job.updates,
              run: (_, report) => job.updateKeys(report),
            },
            {
              title: 'Assign the guardrails',
              onlyIf: () => job.assigns,
              run: () => job.assignGuardrails(),
            },
            { title: 'Write the API keys', run: () => job.handOut() },
            {
              title: 'Write the limits and the snapshot',
              skip: () => job.endedEarly && 'not written, since the run ended early',
              run: () => job.saveFiles(limits),
            },
          ],
          showResult: provisionView,
        },
        flags,
        interrupt,
      )
    } finally {
      interrupt.dispose()
      await session.close()
    }
  }
}
