// What the API says of sensors.
import { z } from 'zod';
import { SENSORS } from '../domain/sensor.js';

export const sensorListSchema = z
  .object({
    sensors: z.array(
      z.object({
        sensor: z.enum(SENSORS),
        accepts: z.string(),
        product: z.string(),
        refuses: z.array(z.object({ code: z.string(), say: z.string(), remedy: z.string() })).meta({
          description: 'Codes of docs/failures.md by which its program refuses data, why, and what to do',
        }),
        parameters: z
          .record(z.string(), z.unknown())
          .meta({ description: 'JSON schema of the parameters of its conversion' }),
      }),
    ),
  })
  .meta({ id: 'SensorList' });
export type SensorList = z.infer<typeof sensorListSchema>;
