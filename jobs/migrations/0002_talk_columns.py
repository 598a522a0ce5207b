# Conversations have no rows before this one: the default is never stored.

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='answer',
            options={'ordering': ['turn', 'column']},
        ),
        migrations.RemoveField(
            model_name='conversation',
            name='chosen',
        ),
        migrations.AddField(
            model_name='answer',
            name='column',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='conversation',
            name='left',
            field=models.ForeignKey(default=0, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='jobs.languagemodel'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='conversation',
            name='right',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='jobs.languagemodel'),
        ),
        migrations.AlterField(
            model_name='answer',
            name='model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='answers', to='jobs.languagemodel'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.UniqueConstraint(fields=('conversation', 'turn', 'column'), name='one_answer_a_column'),
        ),
    ]
