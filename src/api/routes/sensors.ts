// Sensors: what each takes, what it makes of that, what it refuses and why, and its parameters.
import { describeFormats } from '../../contracts/formats/registry.js';
import { sensorListSchema } from '../../contracts/http-sensors.js';
import { type App, mount } from '../route.js';

export function sensorRoutes(app: App): void {
  const sensors = describeFormats();
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/sensors',
      tag: 'sensors',
      summary: 'What is converted, from what into what, what is refused and why, and by which parameters',
      answers: { 200: { description: 'Every sensor that is converted', schema: sensorListSchema } },
    },
    (c) => c.json(sensors),
  );
}
