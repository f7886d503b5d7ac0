import { posix, win32 } from 'node:path'

/**
 * Where Node keeps what it has compiled of the program: in the folder that oclif uses as the program's cache, so that
 * there is one to delete.
 * @param platform as `process.platform` has it
 * @param home the folder of the person
 */
export function compileCacheFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform, home: string): string {
  const { join } = platform === 'win32' ? win32 : posix
  if (env.CLASS_KEYS_CACHE_DIR) return join(env.CLASS_KEYS_CACHE_DIR, 'compiled')
  const base =
    (platform === 'darwin' && join(home, 'Library', 'Caches')) ||
    env.XDG_CACHE_HOME ||
    (platform === 'win32' && env.LOCALAPPDATA) ||
    join(home, '.cache')
  return join(base, 'class-keys', 'compiled')
}
