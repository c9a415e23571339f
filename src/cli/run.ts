/** `mcs-lb run`: serves the file until a signal ends the process. */
export async function run(options: { readonly config: string }): Promise<never> {
  const { runService } = await import('../control/run.ts')
  return await runService({ configFile: options.config })
}
