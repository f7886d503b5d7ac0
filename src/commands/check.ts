import type { Ledger } from '../db/ledger.js'
import { openLedger } from '../db/open.js'
import { checkReport } from '../lib/core/check-report.js'
import type { Key } from '../lib/core/key.js'
import { type Matching, matchKeys } from '../lib/core/matching.js'
import type { CheckResult } from '../lib/core/results.js'
import type { Roster } from '../lib/core/roster.js'
import type { Person, Student } from '../lib/core/student.js'
import { loadRosterIfThere } from '../lib/files/roster-file.js'
import { saveSnapshot } from '../lib/files/snapshot-file.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, rosterFlag } from '../lib/terminal/flags.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { terminalWidth } from '../lib/terminal/table.js'
import { checkView } from '../lib/terminal/views/check-view.js'

interface Context {
  roster: Roster | undefined
  ledger: Ledger
  listedAt: Date
  keys: Key[]
  matching: Matching<Student>
  inDoubt: Person[]
  snapshot: string
}

export default class Check extends BaseCommand {
  static override summary = 'Show who has which key, and what it has spent.'
  static override description =
    'Fetches all keys from OpenRouter, matches them to the roster, brings the ledger up to date, and writes a snapshot. It never changes anything at OpenRouter.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json | jq .counts',
  ]
  static override flags = { db: dbFlag, roster: rosterFlag }

  async run(): Promise<CheckResult> {
    const { flags } = await this.parse(Check)
    const openRouter = new OpenRouter(accountFrom(process.env))
    const context = {} as Context
    try {
      await runPipeline<Context>(
        [
          {
            title: 'Read the roster',
            run: async (ctx) => {
              ctx.roster = await loadRosterIfThere(flags.roster)
              return ctx.roster ? `${ctx.roster.students.length} students` : `no ${flags.roster}`
            },
          },
          {
            title: 'Open the ledger',
            run: async (ctx) => {
              ctx.ledger = await openLedger(flags.db)
              return flags.db
            },
          },
          {
            title: 'Fetch the keys',
            run: async (ctx, report) => {
              ctx.listedAt = new Date()
              ctx.keys = await openRouter.listKeys((n) => report(String(n)))
              return String(ctx.keys.length)
            },
          },
          {
            title: 'Update the ledger',
            run: async (ctx) => {
              ctx.matching = matchKeys(ctx.keys, ctx.roster?.students ?? [])
              await recordCheck(ctx)
              ctx.inDoubt = (await ctx.ledger.unsettledCreations())
                .filter((creation) => creation.state !== 'absent')
                .map((creation) => creation.student)
              return undefined
            },
          },
          {
            title: 'Write the snapshot',
            run: async (ctx) => {
              ctx.snapshot = await saveSnapshot('.', ctx.matching.matched, new Date())
              return ctx.snapshot
            },
          },
        ],
        context,
        this.progress(),
      )
    } finally {
      await context.ledger?.close()
    }
    const result: CheckResult = {
      roster: context.roster ? flags.roster : null,
      ...checkReport(context.keys, context.matching, context.inDoubt),
      files: { snapshot: context.snapshot },
      retries: openRouter.retries,
    }
    this.print(checkView(result, terminalWidth()))
    return result
  }
}

function recordCheck({ ledger, keys, matching, roster, listedAt }: Context): Promise<void> {
  const people = roster?.students ?? []
  return ledger.recordListing(
    { keys, matching, people, listedAt, withUsage: true, settlePending: false },
    new Date(),
  )
}
