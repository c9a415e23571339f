/** Every character that a terminal would act on becomes one that takes one column. */
export function harmless(text: string): string {
  return text.replace(/\t/g, ' ').replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '·')
}
