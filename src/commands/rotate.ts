import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../lib/core/errors.js'
import type { RotateResult } from '../lib/core/results.js'
import type { RotationPlan } from '../lib/core/rotation-plan.js'
import { RotateJob, type RotateWishes } from '../lib/runs/rotate-job.js'
import { Session } from '../lib/runs/session.js'
import { expiresFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { PlannedCommand } from '../lib/terminal/planned-command.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { rotatePlanView, rotateView } from '../lib/terminal/views/rotate-view.js'

export default class Rotate extends PlannedCommand {
  static override summary = 'Give students a new key in place of the one they have.'
  static override description =
    `For a key that was lost or has leaked: makes the new key first, with the same reset period, expiry and guardrail and with what is left of the budget, and writes its secret into a CSV file; only then is the old key disabled.

Whatever happens on the way, run the same command again: it resumes the run, and nobody gets two new keys.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> ada.quill@students.mq.edu.au',
    '<%= config.bin %> <%= command.id %> 48200001 --keep-old 7',
    '<%= config.bin %> <%= command.id %> --lost --dry-run',
  ]
  // As many students as are named.
  static override strict = false
  static override usage = '<%= command.id %> (STUDENT... | --lost | --all | --due [STUDENT...]) [OPTIONS]'
  static override args = {
    student: Args.string({ description: 'Addresses, MQ IDs, or parts of names.' }),
  }
  static override flags = {
    ...PlannedCommand.planFlags,
    lost: Flags.boolean({
      summary: 'Everybody in the class whose secret is not in the ledger.',
      exclusive: ['all'],
      default: false,
    }),
    all: Flags.boolean({ summary: 'Everybody in the class.', default: false }),
    'delete-old': Flags.boolean({
      summary: 'Delete the old keys instead of disabling them.',
      default: false,
    }),
    due: Flags.boolean({
      summary: 'Make no new keys; only retire the old keys that --keep-old left in use and whose time is up.',
      exclusive: ['all', 'lost', 'expires', 'keep-old'],
      default: false,
    }),
    expires: expiresFlag,
    'keep-old': Flags.integer({
      summary: 'Keep the old keys in use for this many days; after that, rotate --due retires them.',
      min: 1,
      max: 365,
      helpValue: 'DAYS',
    }),
  }

  async run(): Promise<RotateResult | RotationPlan> {
    const { flags, argv } = await this.parse(Rotate)
    const { 'dry-run': dryRun, concurrency, db, due, limits, lost, all, roster, workspace } = flags
    const students = argv.map(String)
    if ((students.length > 0 && !due) === (lost || all || due)) {
      const message =
        'Say who is to get a new key: name students, or use --lost or --all. --due only retires old keys.'
      throw new UsageError('nobody_named', message)
    }
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts(this.sayStopping)
    const session = new Session(account, interrupt, concurrency)
    const job = new RotateJob(session)
    const wishes: RotateWishes = {
      mode: lost ? 'lost' : all ? 'all' : due ? 'due' : 'named',
      students,
      deleteOld: flags['delete-old'],
      keepOld: flags['keep-old'] ?? 0,
      expiresAt: flags.expires,
      maxChange: flags['max-change'],
    }
    try {
      return await this.tell(
        {
          job,
          toPlan: [
            { title: 'Open the ledger', run: () => session.open(db, 'rotate', { dryRun, workspace }) },
            { title: 'Read the roster', run: () => job.read(roster, limits) },
            { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
            { title: 'Plan', run: () => job.makePlan(wishes) },
          ],
          showPlan: rotatePlanView,
          alwaysAsk: true,
          toApply: [
            { title: 'Make the new keys', run: (_, report) => job.makeKeys(limits, report) },
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
            { title: 'Retire the old keys', run: (_, report) => job.retireKeys(report) },
            {
              title: 'Write the limits and the snapshot',
              skip: () => job.endedEarly && 'not written, since the run ended early',
              run: () => job.saveFiles(limits),
            },
          ],
          showResult: rotateView,
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
