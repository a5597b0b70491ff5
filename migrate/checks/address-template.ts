import { sourceCheck } from './check.ts';

export const addressTemplate = sourceCheck({
  code: 'ADDRESS_TEMPLATE',
  severities: ['warning'],
  finds: 'An address with a placeholder (`{{ … }}`, `${…}`), of which nothing is known.',
  left: [],
  fix: 'Analyse what comes out of the template.',
  source: 'nothing is guessed',
  look({ source }) {
    const { form, shown } = source.address;
    if (form !== 'template') return undefined;
    const message = `"${shown}" is a template: what stands there in the end is not known, and was not analysed`;
    return {
      at: source.at(['address']),
      message,
      fix: 'render it (helm template …, envsubst), and analyse what comes out',
    };
  },
});
